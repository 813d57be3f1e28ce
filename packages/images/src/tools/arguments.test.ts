import test from 'ava';
import { parseCurl, parseWget } from './arguments.js';

const curl = (...args: string[]) => parseCurl(args, () => Buffer.from('from file'));

test('curl: clustered short flags and values, attached or apart', (t) => {
  const parsed = curl('-sSo', '/dev/null', '-w', '%{http_code}\\n', '-HX-A: b', '-m3', 'reviews:9080/reviews/0');
  t.like(parsed, {
    silent: true,
    showError: true,
    output: '/dev/null',
    writeOut: '%{http_code}\\n',
    maxTimeMs: 3000,
    urls: ['reviews:9080/reviews/0'],
    method: 'GET',
  });
  t.is('headers' in parsed && parsed.headers['x-a'], 'b');
});

test('curl: a body makes it a POST, and @file reads one', (t) => {
  const parsed = curl('-d', 'a=1', '--data', '@x', 'http://h/');
  t.like(parsed, { method: 'POST' });
  t.is('data' in parsed && parsed.data?.toString(), 'a=1&from file');
  t.like(curl('--json', '{}', '-XPUT', 'h'), { method: 'PUT', headers: { 'content-type': 'application/json' } });
});

test('curl: what it does not know is refused, never ignored', (t) => {
  t.deepEqual(curl('--proxy-ntlm', 'h'), { error: 'curl: option --proxy-ntlm: is unknown to the built-in curl' });
  t.deepEqual(curl(), { error: 'curl: (2) no URL specified' });
});

test('wget: quiet to standard output, timeouts, headers', (t) => {
  t.like(parseWget(['-qO-', 'http://h/a']), { silent: true, output: undefined, urls: ['http://h/a'] });
  t.like(parseWget(['-q', '-O', '-', '-T', '2', '--header', 'X-A: b', 'h']), { maxTimeMs: 2000, output: undefined });
  t.like(parseWget(['http://h/file.txt?x']), { output: 'file.txt' });
  t.true('error' in parseWget(['--mirror', 'h']));
});
