"""How many texts a run may send without a person's word. Pure."""


def too_many(tenants: int, usual: int, confirmed: int) -> str | None:
    """Why so many tenants must not be texted yet, or None.

    `usual` is REMINDER_MAX_TEXTS; `confirmed` is the run config's `confirm_up_to`.
    """
    if tenants <= max(usual, confirmed):
        return None
    return (
        f"This run would text {tenants} tenants, more than REMINDER_MAX_TEXTS ({usual}). Nobody was"
        " texted. Check preview_late_payment_reminders; if it is right, launch"
        " send_late_payment_reminders with"
        f" ops.mark_overdue_invoices.config.confirm_up_to: {tenants}."
    )
