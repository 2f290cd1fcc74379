"""The stages of curation, one module each: the declaration, and the judging class unless it imports a heavy library.

Importing one of these modules doesn't import the library of a neural network. `vaserl.curation.pipeline` lists the
stages in their order.
"""
