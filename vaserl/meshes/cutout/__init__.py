"""Cuts the vase out of a photograph and says what the photograph shows, with a small network of our own.

The network's weights and their recipe lie beside the code; `python -m launch train-cutout` trains them. Import from the
modules, because `network`, `weights` and `predict` load torch.
"""
