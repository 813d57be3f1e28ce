import { TransportError } from './transport.js';

/** The values of a stream of JSON lines, however its bytes are cut into chunks. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  let rest: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = chunk.subarray(start, end);
      start = end + 1;
      const whole = rest.length === 0 ? line : Buffer.concat([...rest, line]);
      rest = [];
      if (whole.length > 0) yield parse(whole);
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield parse(last);
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString());
  } catch (error) {
    throw new TransportError('protocol', 'a line of the stream is not JSON', error);
  }
}
