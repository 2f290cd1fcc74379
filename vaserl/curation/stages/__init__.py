"""The stages of curation, one module each: the declaration, and the body unless it imports a heavy library.

Importing a stage's module imports no model's library. `vaserl.curation.pipeline` lists the stages in their order.
"""
