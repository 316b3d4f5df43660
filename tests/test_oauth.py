"""Access tokens and secrets: kept while they are good, and never told to anybody but the endpoint."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

import router.oauth
from router.oauth import (
    AccessTokens,
    SecretError,
    Token,
    _read_token,
    from_command,
    from_refresh_token,
    keep_in,
    read_secret,
)

REFRESH, CLIENT = "refresh-me-7f3", "client-s3cret"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


# -- secrets ------------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_environment_a_file_or_a_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BUNS_PASSWORD", " pass word ")
    (tmp_path / "secret").write_text("lösen\n")
    assert read_secret(env="BUNS_PASSWORD") == " pass word "
    assert read_secret(file=tmp_path / "secret") == "lösen"
    assert read_secret(command=python("print('first'); print('second')")) == "first"
    assert read_secret() == ""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"env": "NO_SUCH_VARIABLE"}, "the environment variable NO_SUCH_VARIABLE is not set"),
        ({"file": Path("/nowhere/secret")}, "/nowhere/secret cannot be read (No such file or directory)"),
        ({"file": Path("/dev/null")}, "/dev/null is empty"),
        ({"command": ("/nowhere/get-secret", "--key=k1")}, "the command get-secret cannot be run"),
        ({"command": python("import sys; print('k1'); sys.exit('k2')")}, "failed with status 1"),
        ({"command": python("")}, "printed nothing"),
        ({"command": python("import time; time.sleep(9)")}, "gave no secret within"),
    ],
)
def test_a_secret_that_cannot_be_had_is_one_sentence_without_arguments_or_output(
    monkeypatch: pytest.MonkeyPatch, source: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(router.oauth, "SECONDS", 0.2)
    with pytest.raises(SecretError) as failure:
        read_secret(**source)
    assert words in str(failure.value)
    for hidden in ("k1", "k2", "import"):
        assert hidden not in str(failure.value)


def test_what_is_no_utf8_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError, match="not UTF-8"):
        read_secret(file=tmp_path / "key")


# -- caching ------------------------------------------------------------------------------------------------------


class Source:
    """Hands out t1, t2, …, each living for `seconds`."""

    def __init__(self, seconds: float = 3600) -> None:
        self.seconds, self.count = seconds, 0

    def __call__(self) -> Token:
        self.count += 1
        return Token(f"t{self.count}", self.seconds)


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    now = [1000.0]
    tokens = AccessTokens(Source(3600), clock=lambda: now[0])
    assert tokens() == "t1"
    now[0] += 3299
    assert tokens() == "t1"
    now[0] += 2
    assert tokens() == "t2"


def test_a_token_of_short_life_is_kept_for_half_of_it() -> None:
    now = [0.0]
    tokens = AccessTokens(Source(60), clock=lambda: now[0])
    assert [tokens(), tokens()] == ["t1", "t1"]
    now[0] = 31
    assert tokens() == "t2"


def test_a_forgotten_token_is_fetched_anew() -> None:
    tokens = AccessTokens(Source())
    assert tokens() == "t1"
    tokens.forget()
    assert tokens() == "t2"


def test_a_failed_fetch_is_tried_again_at_the_next_call() -> None:
    answers: list[Token | SecretError] = [SecretError("not now"), Token("t", 3600)]

    def fetch() -> Token:
        answer = answers.pop(0)
        if isinstance(answer, SecretError):
            raise answer
        return answer

    tokens = AccessTokens(fetch)
    with pytest.raises(SecretError):
        tokens()
    assert tokens() == "t"


def test_threads_that_ask_together_share_one_fetch() -> None:
    source, meeting = Source(), threading.Barrier(8)
    tokens = AccessTokens(source)
    got: list[str] = []

    def ask() -> None:
        meeting.wait()
        got.append(tokens())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["t1"] * 8
    assert source.count == 1


# -- a command ----------------------------------------------------------------------------------------------------


def test_a_command_prints_the_token_bare_or_as_json() -> None:
    assert from_command(python("print('abc')"))() == Token("abc", 600)
    answer = json.dumps({"access_token": "abc", "expires_in": "120"})
    assert from_command(python(f"print('''{answer}''')"))() == Token("abc", 120)
    for odd in (None, "soon", [], "nan", "inf", -1, 0):
        answer = json.dumps({"access_token": "abc", "expires_in": odd})
        assert _read_token(answer, "x") == Token("abc", 600)
    with pytest.raises(SecretError, match="gave no access_token"):
        from_command(python("print('{}')"))()


# -- the endpoint -------------------------------------------------------------------------------------------------


class Endpoint:
    """A token endpoint on loopback; `answer(form)` gives status, headers and body."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, str]], tuple[int, dict[str, str], str]] = lambda _: (200, {}, "{}")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.forms.append({key: values[0] for key, values in parse_qs(raw).items()})
                status, headers, body = outer.answer(outer.forms[-1])
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"

    def source(self, **more: Any) -> Callable[[], Token]:
        return from_refresh_token(self.url, "router", lambda: REFRESH, lambda: CLIENT, **more)

    def gives(self, status: int, body: Any, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.answer = lambda _: (status, headers, text)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")  # must not be asked for loopback
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_a_refresh_token_is_exchanged_for_an_access_token(endpoint: Endpoint) -> None:
    endpoint.gives(200, {"access_token": "abc", "expires_in": 3599, "token_type": "Bearer"})
    assert endpoint.source(scope="mail")() == Token("abc", 3599)
    assert endpoint.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH,
            "client_id": "router",
            "client_secret": CLIENT,
            "scope": "mail",
        }
    ]


def test_a_renewed_refresh_token_is_used_from_then_on(endpoint: Endpoint) -> None:
    endpoint.gives(200, {"access_token": "abc", "expires_in": 3599, "refresh_token": "newer"})
    fetch = endpoint.source()
    fetch()
    fetch()
    assert [form["refresh_token"] for form in endpoint.forms] == [REFRESH, "newer"]


def test_a_renewed_refresh_token_is_kept_in_its_file_and_used_after_a_restart(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    file = tmp_path / "refresh.token"
    file.write_text("first\n")
    file.chmod(0o640)

    def source() -> Callable[[], Token]:
        return from_refresh_token(endpoint.url, "router", lambda: read_secret(file=file), keep=keep_in(file))

    endpoint.gives(200, {"access_token": "abc", "expires_in": 3599, "refresh_token": "second"})
    source()()
    endpoint.gives(200, {"access_token": "abc", "expires_in": 3599})
    source()()
    assert [form["refresh_token"] for form in endpoint.forms] == ["first", "second"]
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["refresh.token"]


def test_a_renewed_refresh_token_that_cannot_be_kept_is_logged_without_it(
    endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.gives(200, {"access_token": "abc", "expires_in": 3599, "refresh_token": "second"})
    fetch = endpoint.source(keep=keep_in(tmp_path / "gone" / "refresh.token"))
    assert fetch().text == fetch().text == "abc"
    assert [form["refresh_token"] for form in endpoint.forms] == [REFRESH, "second"]
    assert "cannot be kept in" in caplog.text
    assert "second" not in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": "invalid_grant", "error_description": f"{REFRESH} is\r\nrevoked"}, "… is revoked), so consent"),
        (401, {"error": "invalid_client", "error_description": f"bad {CLIENT}"}, "401 (invalid_client: bad …)"),
        (500, "<html>oops</html>", "refuses with status 500"),
        (400, "[1, 2]", "refuses with status 400"),
        (200, {"token": "abc"}, "gave no access_token"),
        (200, {"access_token": 7}, "gave no access_token"),
        (200, "no json", "gave no access_token"),
        (200, "[" * 60_000, "gave no access_token"),
    ],
)
def test_each_failure_is_one_sentence_without_a_secret(endpoint: Endpoint, status: int, body: Any, words: str) -> None:
    endpoint.gives(status, body)
    with pytest.raises(SecretError) as failure:
        endpoint.source()()
    told = "".join(traceback.format_exception(failure.value))
    assert words in str(failure.value)
    assert "127.0.0.1" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert REFRESH not in told
    assert CLIENT not in told


def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.gives(302, "", Location=endpoint.url)
    with pytest.raises(SecretError, match="status 302"):
        endpoint.source()()
    assert len(endpoint.forms) == 1


def test_an_endpoint_that_is_away_is_one_sentence(endpoint: Endpoint) -> None:
    fetch = from_refresh_token("http://127.0.0.1:9/token", "router", lambda: REFRESH)
    with pytest.raises(SecretError, match=r"127.0.0.1 cannot be reached \(Connection refused\)"):
        fetch()


@pytest.mark.parametrize("url", ["http://login.example.org/token", "ftp://127.0.0.1/", "login.example.org", ""])
def test_the_endpoint_is_https_or_on_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="must be an https:// address"):
        from_refresh_token(url, "router", lambda: REFRESH)
