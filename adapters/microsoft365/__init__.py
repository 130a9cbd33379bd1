"""Microsoft 365: Outlook mail, calendar and contacts, Teams, OneDrive, through Microsoft Graph v1.0."""
