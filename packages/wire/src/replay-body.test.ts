import { PassThrough } from 'node:stream';
import test from 'ava';
import { ReplayBody } from './replay-body.js';

const read = async (stream: PassThrough): Promise<string> => {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
};

test('a second sink gets the whole body again', async (t) => {
  const source = new PassThrough();
  const body = new ReplayBody(source, 100);
  const first = new PassThrough();
  body.attach(first);
  source.write('one ');
  while (body.bytes < 4) await new Promise((resolve) => setImmediate(resolve));
  body.detach();
  t.true(body.replayable);
  const second = new PassThrough();
  body.attach(second);
  source.end('two');
  t.is(await read(second), 'one two');
  t.is(body.snapshot()?.toString(), 'one two');
});

test('past its limit it cannot be sent again, but goes through', async (t) => {
  const source = new PassThrough();
  const body = new ReplayBody(source, 4);
  const sink = new PassThrough();
  body.attach(sink);
  source.end('too long');
  t.is(await read(sink), 'too long');
  t.false(body.replayable);
  t.is(body.snapshot(), undefined);
});

test('back-pressure: a sink that does not drain stalls the source', async (t) => {
  const source = new PassThrough({ highWaterMark: 10 });
  const body = new ReplayBody(source, 0);
  const sink = new PassThrough({ highWaterMark: 10 });
  body.attach(sink);
  let written = 0;
  while (source.write('0123456789') || written < 5) {
    if (++written > 100) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(body.bytes < 100, `${body.bytes} bytes were taken`);
  source.end();
  t.is((await read(sink)).length, body.bytes);
});

test('no body at all is complete from the start', (t) => {
  const body = new ReplayBody(undefined, 10);
  t.true(body.ended);
  let ended = false;
  body.onEnd(() => (ended = true));
  t.true(ended);
});
