"""Exception that the lathe raises."""


class LatheError(Exception):
    """A failure to reconstruct the vase in a photograph; the message is the reason, written for the photograph's owner.

    `vaserl.meshes.generators.LiftFailure` is the failure of any generator on a row of a data set. The lathe has its own
    exception because it also reconstructs single photographs without a data set.
    """
