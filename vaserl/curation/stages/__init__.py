"""The stages of curation, one module each: the stage's declaration, and its judging class unless that is in `bodies`.

Importing one of these modules doesn't import the library of a neural network. `vaserl.curation.pipeline` lists the
stages in their order.
"""
