"""Trains the cut-out network of `vaserl.meshes.cutout` on composed scenes, in slices that continue each other."""
