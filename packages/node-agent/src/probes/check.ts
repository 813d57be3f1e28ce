import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { core } from '@flotilla/api';
import { errorCode } from '@flotilla/base';

export interface ProbeResult {
  success: boolean;
  /** What the Unhealthy event says after "Readiness probe failed: ". */
  output: string;
}

/** Runs a command inside the container; `undefined` as exit code when the time ran out. */
export type RunCommand = (
  command: readonly string[],
  timeoutMs: number,
) => Promise<{ code: number | undefined; output: string }>;

export interface ProbeTarget {
  podIP: string;
  container: core.Container;
  run: RunCommand;
}

/** Tries once. Never rejects. */
export async function check(probe: core.ProbeHandler, timeoutMs: number, target: ProbeTarget): Promise<ProbeResult> {
  if (probe.exec) return checkExec(probe.exec, timeoutMs, target);
  if (probe.httpGet) return checkHttp(probe.httpGet, timeoutMs, target);
  if (probe.tcpSocket) return checkTcp(probe.tcpSocket, timeoutMs, target);
  if (probe.grpc) {
    const { checkGrpc } = await import('./grpc.js');
    return checkGrpc(probe.grpc, timeoutMs, target.podIP);
  }
  return { success: false, output: 'missing probe handler' };
}

/** A port by number or by its name in the container; undefined if there is none of that name. */
export function portOf(port: number | string, container: core.Container): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find((candidate) => candidate.name === port)?.containerPort;
}

async function checkExec(action: core.ExecAction, timeoutMs: number, { run }: ProbeTarget): Promise<ProbeResult> {
  const { code, output } = await run(action.command ?? [], timeoutMs);
  if (code === undefined)
    return {
      success: false,
      output: `command timed out: ${JSON.stringify(action.command?.join(' '))} timed out after ${timeoutMs / 1000}s`,
    };
  return { success: code === 0, output };
}

function checkTcp(action: core.TCPSocketAction, timeoutMs: number, target: ProbeTarget): Promise<ProbeResult> {
  const port = portOf(action.port, target.container);
  const host = action.host || target.podIP;
  if (port === undefined) return Promise.resolve({ success: false, output: `couldn't find port: ${action.port}` });
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (success: boolean, output: string): void => {
      socket.destroy();
      resolve({ success, output });
    };
    socket.setTimeout(timeoutMs, () => finish(false, `dial tcp ${host}:${port}: i/o timeout`));
    socket.once('connect', () => finish(true, ''));
    socket.once('error', (error) => finish(false, `dial tcp ${host}:${port}: ${dialError(error)}`));
  });
}

function dialError(error: unknown): string {
  const code = errorCode(error);
  return code === 'ECONNREFUSED' ? 'connect: connection refused' : (code ?? String(error));
}

/** The kubelet reads no more than this of an answer. */
const bodyLimit = 10 * 1024;
const maxRedirects = 10;

export async function checkHttp(
  action: core.HTTPGetAction,
  timeoutMs: number,
  target: Pick<ProbeTarget, 'podIP' | 'container'>,
): Promise<ProbeResult> {
  const port = portOf(action.port, target.container);
  if (port === undefined) return { success: false, output: `couldn't find port: ${action.port}` };
  const host = action.host || target.podIP;
  const path = action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`;
  let url = `${(action.scheme ?? 'HTTP').toLowerCase()}://${host}:${port}${path}`;
  const deadline = Date.now() + timeoutMs;
  for (let hop = 0; ; hop++) {
    const answer = await get(url, action.httpHeaders ?? [], Math.max(1, deadline - Date.now()));
    if ('problem' in answer) return { success: false, output: `Get "${url}": ${answer.problem}` };
    const { status, location } = answer;
    if (status >= 300 && status < 400 && location !== undefined && hop < maxRedirects) {
      const next = new URL(location, url);
      // A redirect to elsewhere is a success with a warning upstream: the container itself has answered.
      if (next.hostname !== new URL(url).hostname) return { success: true, output: '' };
      url = next.href;
      continue;
    }
    if (status >= 200 && status < 400) return { success: true, output: '' };
    return { success: false, output: `HTTP probe failed with statuscode: ${status}` };
  }
}

type Answer = { status: number; location: string | undefined } | { problem: string };

async function get(url: string, headers: core.HTTPHeader[], timeoutMs: number): Promise<Answer> {
  const secure = url.startsWith('https:');
  const request = secure ? (await import('node:https')).request : httpRequest;
  return new Promise((resolve) => {
    const named: Record<string, string> = { 'User-Agent': 'kube-probe/1.36', Accept: '*/*', Connection: 'close' };
    for (const { name, value } of headers) named[name] = value;
    const req = request(url, { agent: false, headers: named, ...(secure ? { rejectUnauthorized: false } : {}) });
    const timer = setTimeout(() => {
      req.destroy();
      resolve({ problem: 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' });
    }, timeoutMs);
    const finish = (answer: Answer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    req.once('response', (response) => {
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > bodyLimit) response.destroy();
      });
      response.once('error', () => undefined);
      finish({ status: response.statusCode ?? 0, location: response.headers.location });
    });
    req.once('error', (error) => {
      const { host } = new URL(url);
      finish({ problem: errorCode(error) === 'ECONNRESET' ? 'EOF' : `dial tcp ${host}: ${dialError(error)}` });
    });
    req.end();
  });
}
