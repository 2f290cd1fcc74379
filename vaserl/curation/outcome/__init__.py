"""What curation leaves: outcomes, splits, retention, the card, the contact sheet, the hub export, `vaserl why`."""
