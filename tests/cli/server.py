"""A local HTTP server that misbehaves on request: the first part of the path says how. Logs every request."""
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        with site.lock:
            site.requests.append({"path": self.path, "range": self.headers.get("Range"),
                                  "if_range": self.headers.get("If-Range"),
                                  "auth": self.headers.get("Authorization")})
            count = sum(1 for r in site.requests if r["path"] == self.path)
        how = self.path.split("/")[1]
        try:
            getattr(self, "serve_" + how.replace("-", "_"), self.serve_missing)(site, count)
        except (BrokenPipeError, ConnectionResetError):
            pass

    # ------------------------------------------------------------------------------------------- behaviours

    def serve_missing(self, site, count):
        self.answer(404, b"<html>no such file, a page that must never be stored</html>")

    def serve_file(self, site, count):
        self.send_file(site.content)

    def serve_weak(self, site, count):
        self.send_file(site.content, etag='W/"weak"', modified=None)

    def serve_dated(self, site, count):
        self.send_file(site.content, etag=None, cut=site.cut if count == 1 else None)

    def serve_no_ranges(self, site, count):
        self.send_file(site.content, ranges=False, cut=site.cut if count == 1 else None)

    def serve_cut(self, site, count):
        """Every connection breaks after `cut` bytes."""
        self.send_file(site.content, cut=site.cut)

    def serve_cut_once(self, site, count):
        self.send_file(site.content, cut=site.cut if count == 1 else None)

    def serve_lying(self, site, count):
        """206 with bytes from the beginning, whatever was asked for."""
        if self.headers.get("Range"):
            size = len(site.content)
            self.answer(206, site.content, {"Content-Range": f"bytes 0-{size - 1}/{size}", "ETag": site.etag})
        else:
            self.send_file(site.content, cut=site.cut if count == 1 else None)

    def serve_careless(self, site, count):
        """Ignores If-Range: 206 from a file that changed."""
        content = site.content if count == 1 else site.changed
        etag = '"one"' if count == 1 else '"two"'
        self.send_file(content, etag=etag, cut=site.cut if count == 1 else None, check=False)

    def serve_slow(self, site, count):
        self.headers_of(200, {"Content-Length": str(len(site.content)), "ETag": site.etag})
        for at in range(0, len(site.content), 4096):
            self.wfile.write(site.content[at:at + 4096])
            self.wfile.flush()
            time.sleep(0.02)

    def serve_silent(self, site, count):
        self.headers_of(200, {"Content-Length": str(len(site.content)), "ETag": site.etag})
        self.wfile.write(site.content[:1000])
        self.wfile.flush()
        site.released.wait(20)
        self.close_connection = True

    def serve_failing(self, site, count):
        self.answer(503, b"overloaded")

    def serve_failing_twice(self, site, count):
        if count <= 2:
            self.answer(503, b"overloaded")
        else:
            self.send_file(site.content)

    def serve_busy_once(self, site, count):
        if count == 1:
            self.answer(429, b"later", {"Retry-After": "1"})
        else:
            self.send_file(site.content)

    def serve_forbidden(self, site, count):
        self.answer(403, b"no")

    def serve_redirect(self, site, count):
        self.answer(302, b"", {"Location": "/file/model.gguf"})

    def serve_elsewhere(self, site, count):
        self.answer(302, b"", {"Location": f"http://localhost:{site.port}/file/model.gguf",
                               "X-Linked-ETag": f'"{site.linked}"'})

    def serve_circle(self, site, count):
        self.answer(302, b"", {"Location": self.path})

    def serve_unknown_length(self, site, count):
        self.headers_of(200, {"Connection": "close"})
        self.wfile.write(site.content)
        self.close_connection = True

    def serve_org(self, site, count):
        """A model hub: /org/repo/resolve/REVISION/FILE."""
        if site.token and self.headers.get("Authorization") != f"Bearer {site.token}":
            self.answer(401, b"who are you")
        else:
            self.answer(302, b"", {"Location": f"http://localhost:{site.port}/file/model.gguf",
                                   "X-Linked-ETag": f'"{site.linked}"'})

    # ---------------------------------------------------------------------------------------------- answers

    def headers_of(self, code, headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, code, body, headers=None):
        self.headers_of(code, {"Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def send_file(self, content, etag="", modified="Tue, 24 Nov 2026 10:00:00 GMT", ranges=True, cut=None,
                  check=True):
        site = self.server.site
        etag = site.etag if etag == "" else etag
        begin, code, headers = 0, 200, {}
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        fresh = condition in (etag, modified) or not check
        if ranges and asked and fresh:
            begin = int(asked.split("=")[1].split("-")[0])
            if begin >= len(content):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            code = 206
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        body = content[begin:]
        headers["Content-Length"] = str(len(body))
        if etag:
            headers["ETag"] = etag
        if modified:
            headers["Last-Modified"] = modified
        self.headers_of(code, headers)
        self.wfile.write(body if cut is None else body[:cut])
        self.wfile.flush()
        if cut is not None:
            self.close_connection = True
            self.connection.shutdown(2)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up is what many of these tests are about."""


class Site:
    """with Site(content) as site: site.url("file/model.gguf")"""

    def __init__(self, content, changed=b"", cut=None):
        self.content, self.changed, self.cut = content, changed, cut
        self.etag, self.linked, self.token = '"one"', "", None
        self.requests, self.lock, self.released = [], threading.Lock(), threading.Event()

    def __enter__(self):
        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.http.site = self
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"
