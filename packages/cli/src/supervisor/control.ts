import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { describeError, errorCode } from '@flotilla/base';
import type { FaultRequest } from '@flotilla/chaos';
import { UserError } from '../errors.js';
import type { ServiceStatus } from './service.js';

/** What the supervisor can be asked over its socket: one JSON line each way. */
export type ControlRequest = { op: 'status' } | { op: 'down' } | { op: 'fault'; fault: FaultRequest };

export interface SupervisorStatus {
  pid: number;
  services: ServiceStatus[];
}

export type ControlReply = { ok: true; status?: SupervisorStatus; text?: string } | { ok: false; error: string };

/** Serves requests on a unix socket that only this user can open. */
export function serveControl(
  path: string,
  answer: (request: ControlRequest) => Promise<ControlReply>,
): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      const line = text.slice(0, text.indexOf('\n'));
      Promise.resolve()
        .then(() => answer(JSON.parse(line) as ControlRequest))
        .catch((error: unknown): ControlReply => ({ ok: false, error: describeError(error) }))
        .then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
        .catch(() => socket.destroy());
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** Asks the supervisor; undefined if none listens there. */
export function askSupervisor(path: string, request: ControlRequest): Promise<ControlReply | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => resolve(text ? (JSON.parse(text) as ControlReply) : { ok: true }));
    socket.on('error', (error) => {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
  });
}

/** As `askSupervisor`, for commands that need a running cluster and a positive answer. */
export async function command(
  path: string,
  cluster: string,
  request: ControlRequest,
): Promise<ControlReply & { ok: true }> {
  const reply = await askSupervisor(path, request);
  if (!reply) throw new UserError(`cluster "${cluster}" is not running`, 'start it with: flotilla up --detach');
  if (!reply.ok) throw new UserError(reply.error);
  return reply;
}
