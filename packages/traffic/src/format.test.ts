import test from 'ava';
import * as fc from 'fast-check';
import { compileFormat } from './format.js';
import { HeaderList, RequestHeaders } from './headers.js';
import { InvalidConfig } from './invalid.js';
import { newStreamInfo, type StreamInfo } from './stream-info.js';

const info: StreamInfo = {
  ...newStreamInfo(Date.UTC(2024, 1, 3, 4, 5, 6, 78)),
  request: new RequestHeaders({ method: 'GET', path: '/p', authority: 'h' }, ['x-a', 'a']),
  response: new HeaderList(['x-r', 'r']),
  responseCode: 503,
  flags: ['UF', 'URX'],
  duration: 12.6,
  downstreamRemoteAddress: '10.0.0.1:4000',
};
const render = (format: string): string => compileFormat(format, '-', 'f')(info);

test('variables, alternatives, lengths, literal percent signs', (t) => {
  t.is(render('%REQ(:METHOD)% %REQ(X-B?:PATH)% %REQ(X-B)% %RESP(x-r):1%'), 'GET /p - r');
  t.is(render('%RESPONSE_CODE%|%RESPONSE_FLAGS%|%DURATION%|100%%'), '503|UF,URX|13|100%');
  t.is(render('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%'), '10.0.0.1 4000');
  t.is(render('%UPSTREAM_HOST%%START_TIME%'), '-2024-02-03T04:05:06.078Z');
  t.is(render('%START_TIME(%Y/%m/%d %H:%M:%S.%3f %s)%'), '2024/02/03 04:05:06.078 1706933106');
  t.is(render('plain'), 'plain');
});

test('what is unknown or unfinished is refused', (t) => {
  for (const bad of ['%NO_SUCH%', '%REQ%', '%', '%REQ(x', '%lower%']) {
    t.throws(() => compileFormat(bad, '-', 'f'), { instanceOf: InvalidConfig }, bad);
  }
});

test('property: text without percent signs is itself', (t) => {
  fc.assert(
    fc.property(
      fc.string().map((s) => s.replaceAll('%', '')),
      (s) => t.is(render(s), s),
    ),
  );
});
