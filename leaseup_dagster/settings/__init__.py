"""Every environment variable the product reads: its type, default and the message when wrong.

Values are read when a run starts, not when the code is loaded, and a wrong one stops the run
before anything is read or written. Messages name the variable; they never repeat a secret.
"""

from leaseup_dagster.settings.alerts import AlertSettings
from leaseup_dagster.settings.arrears import ArrearsSettings
from leaseup_dagster.settings.group import SettingsError, load
from leaseup_dagster.settings.mail import MailSettings
from leaseup_dagster.settings.paystack import SEND_WINDOW_SECONDS, PaystackSettings
from leaseup_dagster.settings.reminders import REMINDER_PLACEHOLDERS, ReminderSettings
from leaseup_dagster.settings.storage import DagsterSettings, DatabaseSettings, RunsSettings
from leaseup_dagster.settings.tasks import ExecutorSettings, TaskSettings
from leaseup_dagster.settings.texts import CommunicationsSettings, SmsSettings

__all__ = [
    "REMINDER_PLACEHOLDERS",
    "SEND_WINDOW_SECONDS",
    "AlertSettings",
    "ArrearsSettings",
    "CommunicationsSettings",
    "DagsterSettings",
    "DatabaseSettings",
    "ExecutorSettings",
    "MailSettings",
    "PaystackSettings",
    "ReminderSettings",
    "RunsSettings",
    "SettingsError",
    "SmsSettings",
    "TaskSettings",
    "load",
]
