// A file server for the tests: ranges or none, a number of failures first, every request counted.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';

export async function serveFile(path, { ranges = true, failures = 0, status = 503 } = {}) {
  const size = statSync(path).size;
  const log = { requests: 0, bytes: 0 };
  const server = createServer((request, response) => {
    log.requests++;
    if (failures > 0) {
      failures--;
      response.writeHead(status).end();
      return;
    }
    const range = ranges && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [begin, end] = range ? [Number(range[1]), Number(range[2])] : [0, size - 1];
    log.bytes += end - begin + 1;
    const headers = { 'content-length': end - begin + 1, etag: '"1"' };
    response.writeHead(
      range ? 206 : 200,
      range ? { ...headers, 'content-range': `bytes ${begin}-${end}/${size}` } : headers,
    );
    createReadStream(path, { start: begin, end }).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/model.gguf`,
    size,
    log,
    close: () => server.close(),
  };
}
