"""Tests means over clusters against numbers by hand and scipy's intervals."""

import numpy as np
import pytest
from scipy import stats

from vaserl.statistics.clusters import Clustered, bootstrap_bounds, cluster_means, standard_error
from vaserl.statistics.intervals import wilson_interval


def test_clustered_of_items_sums_by_cluster():
    column = Clustered.of_items([1, 0, 1, 0.5], [0, 0, 2, 2], 3)
    assert column.sums.tolist() == [1, 0, 1.5] and column.sizes.tolist() == [2, 0, 2]
    assert (column.num_values, column.num_clusters, column.mean) == (4, 2, 2.5 / 4)
    assert not column.is_share


def test_clustered_of_values_leaves_out_those_that_do_not_count():
    column = Clustered.of_values([True, False, True], np.array([True, True, False]))
    assert column.is_share and column.mean == 0.5 and column.num_values == 2
    assert not Clustered.of_values([1.0, 0.0]).is_share, "rewards may happen to be 0 and 1"


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.inf, 0.0]])
def test_clustered_refuses_values_that_are_not_finite(values):
    with pytest.raises(ValueError, match="finite"):
        Clustered.of_values(values)


def test_standard_error_with_unequal_clusters_by_hand():
    # sums 1 and 1, sizes 2 and 1: mean 2/3, residuals -1/3 and 1/3, √(2/1 · 2/9) / 3 = 2/9
    assert standard_error(Clustered.of_items([1, 0, 1], [0, 0, 1], 2)) == pytest.approx(2 / 9)


def test_cluster_means_with_one_value_a_cluster_are_scipys_t_interval():
    values = np.random.default_rng(0).normal(2, 3, 50)
    found = cluster_means({"x": Clustered.of_values(values)}, seed=0, num_resamples=10)["x"]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found is not None and found.method == "t"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.num_values, found.num_clusters) == (50, 50)


def test_cluster_means_with_equal_clusters_are_the_t_interval_of_the_clusters_means():
    values = np.random.default_rng(1).normal(size=(30, 7))
    column = Clustered.of_items(values.ravel(), np.repeat(np.arange(30), 7), 30)
    found = cluster_means({"x": column}, seed=0, num_resamples=10)["x"]
    expected = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert found is not None and (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.num_values == 210


def test_cluster_means_of_a_share_have_wilsons_interval():
    found = cluster_means({"x": Clustered.of_values([True, False, False, True])}, seed=0, num_resamples=10)["x"]
    expected = wilson_interval(2, 4)
    assert found is not None and (found.low, found.high, found.method) == (expected.low, expected.high, "wilson")


def test_cluster_means_without_spread_are_none():
    columns = {
        "none": Clustered.of_values([0, 0], np.array([False, False])),
        "one": Clustered.of_items([3, 4], [0, 0], 2),
    }
    assert cluster_means(columns, seed=0, num_resamples=10) == {"none": None, "one": None}


def test_bootstrap_bounds_agree_with_the_normal_limit():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(400, 3)) + rng.normal(size=(400, 1))
    column = Clustered.of_items(values.ravel(), np.repeat(np.arange(400), 3), 400)
    low, high = bootstrap_bounds({"x": column}, seed=3, num_resamples=4000)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * standard_error(column), rel=0.06)


def test_bootstrap_bounds_do_not_depend_on_other_columns():
    a, b = Clustered.of_values([1.0, 2, 5, 3]), Clustered.of_values([0.0, 1, 1, 4])
    alone, both = (bootstrap_bounds(columns, seed=4, num_resamples=50) for columns in ({"a": a}, {"b": b, "a": a}))
    assert (alone[0][0], alone[1][0]) == pytest.approx((both[0][1], both[1][1]))
