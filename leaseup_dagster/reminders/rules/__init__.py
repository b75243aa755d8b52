"""Pure rules of reminders: when one is due, to whom, in which words, and when nobody is texted."""
