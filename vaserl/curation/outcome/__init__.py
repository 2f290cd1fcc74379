"""Results of a curation: manifest rows, splits, retention, card, contact sheet, hub export, `vaserl why`.

Nothing is re-exported, because the card loads matplotlib and the hub export pyarrow: import from the modules.
"""
