"""Helper that changes the facts of a synthetic vase."""

from dataclasses import replace

from vaserl.synthetic.vase import VaseTraits


def with_facts(traits: VaseTraits, **facts: object) -> VaseTraits:
    """Returns the traits with some facts replaced."""
    return replace(traits, facts=replace(traits.facts, **facts))  # type: ignore[arg-type]
