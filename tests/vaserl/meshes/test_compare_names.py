"""Tests how VaseEval matches generated with true meshes by the names of their files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.errors import UserError
from vaserl.meshes.compare import VaseEvalSettings
from vaserl.meshes.compare.names import glbs_of, match_names

ENDINGS = VaseEvalSettings.model_fields["endings"].default


@pytest.mark.parametrize(
    "generated",
    [
        "AP20_krater",
        "AP20_krater_generated_(2)",
        "AP20_krater_generated (1)",
        "AP20_krater_textured_4k.glb_shaded",
        "AP20_krater_textured",
        "AP20_krater.glb",
        "AP20_krater_Mesh",
        "AP20_krater(3)",
        "AP20_krater - scan",
    ],
)
def test_match_names_of_the_published_layout(generated):
    found = match_names([generated, "other"], ["AP20_krater", "B"], ENDINGS, "generated.x")
    assert dict(found.pairs) == {"AP20_krater": generated}
    assert (found.without_true, found.without_generated) == (("other",), ("B",))


def test_match_names_an_equal_name_is_taken_before_a_shorter_one():
    true = ["vase", "vase_(2)", "vase_4k"]
    found = match_names(["vase_generated", "vase_(2)_generated", "vase_4k"], true, ENDINGS, "")
    assert dict(found.pairs) == {"vase": "vase_generated", "vase_(2)": "vase_(2)_generated", "vase_4k": "vase_4k"}
    found = match_names(["vase", "vase_generated"], ["vase"], ENDINGS, "")
    assert dict(found.pairs) == {"vase": "vase"} and found.without_true == ("vase_generated",)


def test_match_names_shortens_true_names_if_need_be():
    found = match_names(["a_generated"], ["a_scan", "b_scan"], ENDINGS, "")
    assert dict(found.pairs) == {"a_scan": "a_generated"} and found.without_generated == ("b_scan",)


def test_match_names_endings_are_a_setting():
    with pytest.raises(UserError, match=r"generated\.x: no name matches .* 'a_v2' and 'a'; .*endings"):
        match_names(["a_v2"], ["a"], ENDINGS, "generated.x")
    assert dict(match_names(["a_v2"], ["a"], [r"v\d"], "").pairs) == {"a": "a_v2"}
    for name, endings in (("a_generated", []), ("amesh", ENDINGS)):
        with pytest.raises(UserError, match="no name matches"):
            match_names([name], ["a"], endings, "")


def test_match_names_refuses_several_meshes_of_one_vase():
    with pytest.raises(UserError, match=r"'a_\(1\)' and 'a_\(2\)' match the true mesh 'a'; rename or remove"):
        match_names(["a_(1)", "a_(2)"], ["a"], ENDINGS, "")
    with pytest.raises(UserError, match=r"'a' matches the true meshes 'a_gt' and 'a_scan'"):
        match_names(["a"], ["a_gt", "a_scan"], ENDINGS, "")


NAMES = st.lists(st.sampled_from(["a", "b_4k", "c (1)", "d.glb", "a_mesh", "e"]), unique=True, min_size=1)


@given(NAMES, NAMES)
def test_match_names_loses_no_name(generated, true):
    try:
        found = match_names(generated, true, ENDINGS, "")
    except UserError:
        return
    assert sorted([*found.pairs.values(), *found.without_true]) == sorted(generated)
    assert sorted([*found.pairs, *found.without_generated]) == sorted(true)
    assert all(found.pairs[name] == name for name in set(generated) & set(true))


def test_glbs_of_reads_any_case_and_names_other_files(tmp_path: Path):
    for name in ("a.glb", "B.GLB", "c.obj", ".hidden"):
        (tmp_path / name).touch()
    found, other = glbs_of(tmp_path, "true")
    assert (sorted(found), other) == (["B", "a"], ("c.obj",))


def test_endings_that_are_no_expressions_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"not a regular expression: '\('"):
        VaseEvalSettings(run_dir=tmp_path, generated={"x": tmp_path}, true=tmp_path, endings=("(",))
