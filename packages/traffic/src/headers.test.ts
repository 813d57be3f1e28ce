import test from 'ava';
import * as fc from 'fast-check';
import { HeaderList, RequestHeaders } from './headers.js';

test('several values are seen joined; set keeps one, in the first place', (t) => {
  const headers = HeaderList.fromRaw(['Accept', 'a', 'X-Other', 'o', 'accept', 'b']);
  t.is(headers.get('accept'), 'a,b');
  headers.set('accept', 'c');
  t.deepEqual(headers.flat, ['accept', 'c', 'x-other', 'o']);
  headers.remove('x-other');
  t.false(headers.has('x-other'));
});

test('pseudo-headers and host are fields, not entries', (t) => {
  const request = new RequestHeaders({ method: 'GET', path: '/a', authority: 'h:80' }, ['x', '1']);
  t.deepEqual(
    [':method', ':path', ':authority', ':scheme', 'host'].map((name) => request.get(name)),
    ['GET', '/a', 'h:80', 'http', 'h:80'],
  );
  request.set(':path', '/b');
  request.set('host', 'other');
  t.deepEqual([request.path, request.authority, request.flat], ['/b', 'other', ['x', '1']]);
  const copy = request.clone();
  copy.set('x', '2');
  t.is(request.get('x'), '1');
});

test('property: a list behaves as a multimap', (t) => {
  const name = fc.constantFrom('a', 'b', 'c');
  const step = fc.record({ op: fc.constantFrom('set', 'append', 'remove'), name, value: fc.string({ maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const list = new HeaderList();
      const model = new Map<string, string[]>();
      for (const { op, name: key, value } of steps) {
        if (op === 'remove') model.delete(key);
        else if (op === 'set') model.set(key, [value]);
        else model.set(key, [...(model.get(key) ?? []), value]);
        if (op === 'remove') list.remove(key);
        else if (op === 'set') list.set(key, value);
        else list.append(key, value);
      }
      for (const key of ['a', 'b', 'c']) t.is(list.get(key), model.get(key)?.join(','));
    }),
  );
});
