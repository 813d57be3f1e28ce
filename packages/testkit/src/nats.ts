import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NamedError } from '@flotilla/base';
import type { NatsAccess } from '@flotilla/host';

export interface NatsUser {
  user: string;
  /** Same as the user if absent. */
  password?: string;
  /** Subjects that may be published and subscribed to; absent: all. */
  publish?: string[];
  subscribe?: string[];
  /** May answer, once, whatever reply subject a message names. */
  allowResponses?: boolean;
}

export interface NatsFixtureOptions {
  /** Users of the account that holds JetStream; absent: anyone may connect, as a user of any name. */
  users?: NatsUser[];
  /** Adds a system account with user `system`; implies accounts, so name `users` too. */
  systemAccount?: boolean;
  /** Largest message in bytes; 8 MiB if absent. */
  maxPayload?: number;
}

/** A real nats-server of one's own: own port, own JetStream directory, nothing left behind. */
export interface NatsFixture {
  readonly url: string;
  readonly port: number;
  /** Of the running server; 0 when there is none. */
  readonly pid: number;
  /** Configuration and JetStream data. */
  readonly dir: string;
  /** How `user` connects. */
  access(user?: string): NatsAccess;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory; resolves when it takes connections. */
  start(): Promise<void>;
  /** Stops it where it stands, with its connections open (SIGSTOP); resolves when it has stopped. */
  pause(): Promise<void>;
  /** Lets it go on. */
  resume(): void;
  /** Ends the server and removes its directory. */
  close(): Promise<void>;
}

export class FixtureFailed extends NamedError {
  constructor(message: string, cause?: unknown) {
    super('FixtureFailed', message, { cause });
  }
}

/** Starts a nats-server with JetStream; `close` it in the test's teardown. */
export async function startNats(options: NatsFixtureOptions = {}): Promise<NatsFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-nats-'));
  directories.add(dir);
  const server = new NatsServer(dir, options);
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** A test process that ends without closing its servers must not leave them, or their directories, behind. */
const running = new Set<ChildProcess>();
const directories = new Set<string>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of directories) rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
});

class NatsServer implements NatsFixture {
  readonly dir: string;
  readonly #options: NatsFixtureOptions;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(dir: string, options: NatsFixtureOptions) {
    this.dir = dir;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get url(): string {
    return `127.0.0.1:${this.#port}`;
  }

  access(user = 'tester'): NatsAccess {
    const known = this.#options.users?.find((other) => other.user === user);
    return { servers: [this.url], user, password: known?.password ?? user };
  }

  async start(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      this.#port ||= await freePort();
      await writeFile(join(this.dir, 'nats.conf'), renderConfig(this.dir, this.#port, this.#options));
      const child = spawn('nats-server', ['-c', join(this.dir, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
      let log = '';
      child.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
      this.#child = child;
      running.add(child);
      if (await listening(child, this.#port)) return;
      await this.kill();
      if (!/address already in use/.test(log) || attempt >= 5) throw new FixtureFailed(`nats-server: ${log}`);
      this.#port = 0;
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child) running.delete(child);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (!child.kill('SIGKILL')) return;
    await gone;
  }

  async pause(): Promise<void> {
    const { pid } = this;
    this.#child?.kill('SIGSTOP');
    while (await isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
    directories.delete(this.dir);
  }
}

/** False when the process is stopped or gone, or this is not Linux and cannot be told. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' T');
  // `pid (name) state …`; the name may hold anything.
  return !/^[TtZX]/.test(stat.slice(stat.lastIndexOf(')') + 1).trim());
}

function renderConfig(dir: string, port: number, options: NatsFixtureOptions): string {
  const quote = (text: string): string => JSON.stringify(text);
  const permissions = (user: NatsUser): string => {
    const parts = [
      ...(user.publish ? [`publish: [${user.publish.map(quote).join(', ')}]`] : []),
      ...(user.allowResponses ? ['allow_responses: true'] : []),
      ...(user.subscribe ? [`subscribe: [${user.subscribe.map(quote).join(', ')}]`] : []),
    ];
    return parts.length > 0 ? `, permissions: { ${parts.join(', ')} }` : '';
  };
  const users = (options.users ?? []).map(
    (user) => `{ user: ${quote(user.user)}, password: ${quote(user.password ?? user.user)}${permissions(user)} }`,
  );
  return [
    `listen: "127.0.0.1:${port}"`,
    `max_payload: ${options.maxPayload ?? 8 * 1024 * 1024}`,
    `jetstream { store_dir: ${quote(join(dir, 'js'))} }`,
    ...(users.length > 0 || options.systemAccount
      ? ['accounts {', ` MAIN { jetstream: enabled, users: [${users.join(', ')}] }`]
      : []),
    ...(options.systemAccount ? [' SYS { users: [{ user: system, password: system }] }'] : []),
    ...(users.length > 0 || options.systemAccount ? ['}'] : []),
    ...(options.systemAccount ? ['system_account: SYS'] : []),
    '',
  ].join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new FixtureFailed('no free port');
  return address.port;
}

/** True once the port accepts connections, false when the process ended first. */
async function listening(child: ChildProcess, port: number): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    if (await answers(port)) return child.exitCode === null && child.signalCode === null;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

/** A NATS server speaks first: an INFO line. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    const settle = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('data', (chunk: Buffer) => settle(chunk.toString().startsWith('INFO')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
