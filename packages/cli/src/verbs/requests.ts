import { isJsonObject, type meta, StatusError } from '@flotilla/api';
import { type ApiRequest, TransportError } from '@flotilla/client';
import type { Session } from './session.js';

type Question = Pick<ApiRequest, 'path' | 'query' | 'accept'>;

/** GETs what the typed client has no form for, such as tables. Throws `StatusError` as the server said. */
export async function requestJson<T>(session: Session, question: Question): Promise<T> {
  const response = await session.client.transport.request({ method: 'GET', ...question });
  const text = Buffer.from(response.body).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TransportError('protocol', `GET ${question.path}: the answer is not JSON: ${text.slice(0, 200)}`, error);
  }
  if (response.status >= 300 && isStatus(value)) throw new StatusError(value);
  if (response.status >= 300) throw new TransportError('protocol', `GET ${question.path}: HTTP ${response.status}`);
  return value as T;
}

/** The bytes of a response that goes on, such as a log. */
export async function* bytesOf(session: Session, question: Question): AsyncIterable<Uint8Array> {
  yield* await session.client.transport.stream({ method: 'GET', ...question }, new AbortController().signal);
}

/** The values of a stream of JSON lines. */
export async function* jsonLinesOf(session: Session, question: Question): AsyncIterable<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytesOf(session, question)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}

/** A `Status`, as an answer's body or as a watch's last object. */
export function isStatus(value: unknown): value is meta.Status {
  return isJsonObject(value) && value.kind === 'Status';
}
