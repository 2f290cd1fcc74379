"""Pairwise judging of meshes: which of two meshes is the better reconstruction of a photograph, asked of a judge in
both orders; statistics of the verdicts, gates that a judge must pass, and certification against known geometry."""
