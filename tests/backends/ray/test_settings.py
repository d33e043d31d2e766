"""The file cluster.yaml."""

from __future__ import annotations

import pytest

from gansr.backends.ray import settings
from gansr.backends.ray.settings import FILE, Pool, Settings, SettingsError, parsed, read


def test_the_file_in_the_checkout_can_be_read(monkeypatch):
    monkeypatch.delenv("GANSR_CLUSTER", raising=False)
    assert FILE.is_file()
    found = read()
    assert found.searches.at_once == 1, "a search has its worker for itself"
    assert found.cpus == 4


def test_an_own_file_is_named_by_the_command_or_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "own.yaml"
    file.write_text("searches: {gpus: 1, max_workers: 8}\n")
    assert read(file).searches == Pool(gpus=1, max_workers=8)
    monkeypatch.setenv("GANSR_CLUSTER", str(file))
    assert read() == read(file)
    monkeypatch.setenv("GANSR_CLUSTER", str(tmp_path / "none.yaml"))
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read"):
        read()


def test_without_a_file_the_usual_settings_count(tmp_path, monkeypatch):
    monkeypatch.delenv("GANSR_CLUSTER", raising=False)
    monkeypatch.setattr(settings, "FILE", tmp_path / "none.yaml")
    assert read() == Settings()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "the file must be a table"),
        ({"search": {}}, "has no search; it has searches, passes"),
        ({"searches": {"gpu": 1}}, "searches has no gpu"),
        ({"searches": {"max_workers": 1.5}}, "max_workers must be a whole number"),
        ({"searches": {"cpus": "two"}}, "cpus must be a number"),
        ({"searches": {"cpus": float("nan")}}, "cpus must be a number"),
        ({"searches": {"threads": 0}}, "threads must be a whole number of at least 1"),
        ({"passes": {"min_workers": 3, "max_workers": 2}}, "max_workers must not be below"),
        ({"grow_after": 0}, "grow_after must be a number above 0"),
        ({"slice": 60}, "slice must be at most 10"),
    ],
)
def test_what_is_not_possible_is_said_in_words(values, said):
    with pytest.raises(SettingsError, match=said):
        parsed(values)


def test_a_file_that_is_no_yaml_is_said_with_its_name(tmp_path):
    (tmp_path / "broken.yaml").write_text("searches: [")
    with pytest.raises(SettingsError, match=r"broken\.yaml: "):
        read(tmp_path / "broken.yaml")


def test_a_number_of_workers_counts_for_both_pools():
    two = Settings().with_workers(2)
    assert [(pool.min_workers, pool.max_workers) for pool in (two.searches, two.passes)] == [(2, 2)] * 2
    assert two.passes.at_once == 2 and two.cpus == 4
