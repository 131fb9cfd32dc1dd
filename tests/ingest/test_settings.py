from __future__ import annotations

import runpy

import pytest

from crashstats import collector_settings
from crashstats.env import BadSetting

#: None of these: a single attempt to save, no spool, no recognising of repeats.
MAY_BE_NONE = {"COLLECTOR_SAVE_SECONDS", "COLLECTOR_SPOOL_MB", "COLLECTOR_DEDUPLICATE_SECONDS"}
NUMBERS = {
    name
    for name, setting in collector_settings.ENV.settings.items()
    if name.startswith("COLLECTOR_") and setting.default.isdecimal()
}


@pytest.mark.parametrize("name", sorted(NUMBERS - MAY_BE_NONE))
def test_what_a_collector_cannot_do_without_is_not_set_to_zero(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "0")
    with pytest.raises(BadSetting, match=f"{name}='0': not "):
        runpy.run_path(collector_settings.__file__)


@pytest.mark.parametrize("name", sorted(MAY_BE_NONE))
def test_the_rest_may_be(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0")
    assert runpy.run_path(collector_settings.__file__)["ENV"].settings
