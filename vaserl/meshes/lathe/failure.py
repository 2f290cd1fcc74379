"""The exception of the lathe."""


class LatheError(Exception):
    """The photograph can't be reconstructed; the message states the reason to the photograph's owner.

    `vaserl.meshes.generators.LiftFailure` is the failure of any generator on a row of a data set; the lathe also works
    on single photographs without a data set.
    """
