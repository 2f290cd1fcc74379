"""The exception of the lathe."""


class LatheError(Exception):
    """A failure to reconstruct the vase in a photograph; the message states the reason to the photograph's owner.

    `vaserl.meshes.generators.LiftFailure` is the failure of any generator on a row of a data set; the lathe also works
    on single photographs without a data set.
    """
