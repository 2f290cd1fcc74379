"""What a curation leaves: the rows of the manifest, splits, retention, card, contact sheet, hub export, `vaserl why`.

It re-exports nothing: the card loads matplotlib, the hub export pyarrow. Import from the modules.
"""
