import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTagged } from '@flotilla/host';

const cli = fileURLToPath(new URL('../../cli/bin/flotilla.js', import.meta.url));

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; a non-zero exit is a result, not an error. */
export async function execute(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; timeoutMs?: number; cwd?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd: options.cwd, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128, stdout, stderr: signal ? `${stderr}\nended by ${signal}` : stderr });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Below the range from which Linux takes the ports of outgoing connections: those come and go at any moment. */
const portRange = { first: 12_000, last: 32_000 };

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Ports that were free a moment ago, and that nobody gets by chance. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = portRange.first + Math.floor(Math.random() * (portRange.last - portRange.first));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

/** A kubectl of at least 1.27 on this machine, newest first of those that can be found; undefined where there is none. */
export function findKubectl(): string | undefined {
  if (process.env.KUBECTL) return process.env.KUBECTL;
  // The Google Cloud SDK installs one binary per minor version beside a dispatcher that asks the server first.
  const versioned = '/usr/lib/google-cloud-sdk/bin';
  if (existsSync(versioned)) {
    const found = readdirSync(versioned).filter((name) => /^kubectl\.1\.\d+$/.test(name));
    const newest = found.sort((a, b) => Number(b.split('.')[2]) - Number(a.split('.')[2]))[0];
    if (newest) return join(versioned, newest);
  }
  const dirs = (process.env.PATH ?? '').split(delimiter);
  return dirs.map((dir) => join(dir, 'kubectl')).find((path) => existsSync(path));
}

export interface ClusterOptions {
  nodes?: number;
  /** More arguments for `flotilla up`. */
  args?: string[];
  env?: NodeJS.ProcessEnv;
}

/** A real cluster of real processes, with a home, ports and addresses of its own. */
export class TestCluster {
  readonly home: string;
  readonly ports: {
    api: number;
    http: number;
    https: number;
    nats: number;
    xds: number;
    xdsTls: number;
    metrics: number;
  };
  readonly #options: ClusterOptions;

  private constructor(home: string, ports: number[], options: ClusterOptions) {
    this.home = home;
    const [api = 0, http = 0, https = 0, nats = 0, xds = 0, xdsTls = 0, metrics = 0] = ports;
    this.ports = { api, http, https, nats, xds, xdsTls, metrics };
    this.#options = options;
  }

  /** A home with free ports; nothing runs yet. */
  static async prepare(options: ClusterOptions = {}): Promise<TestCluster> {
    return new TestCluster(mkdtempSync(join(tmpdir(), 'flotilla-test-')), await freePorts(7), options);
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.prepare(options);
    try {
      await cluster.up();
      return cluster;
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
  }

  get dir(): string {
    return join(this.home, 'clusters', 'flotilla');
  }

  get kubeconfig(): string {
    return join(this.home, 'kubeconfig');
  }

  get env(): NodeJS.ProcessEnv {
    return { ...this.#options.env, FLOTILLA_HOME: this.home, KUBECONFIG: this.kubeconfig, HOME: this.home };
  }

  get upArgs(): string[] {
    const { api, http, https, nats, xds, xdsTls, metrics } = this.ports;
    const ports = ['--api-port', api, '--http-port', http, '--https-port', https, '--nats-port', nats];
    const pilot = ['--xds-port', xds, '--xds-tls-port', xdsTls, '--pilot-metrics-port', metrics];
    return [...ports, ...pilot, '--nodes', this.#options.nodes ?? 3, ...(this.#options.args ?? [])].map(String);
  }

  async up(): Promise<string> {
    const result = await this.flotilla('up', '--detach', ...this.upArgs);
    if (result.code !== 0) throw new Error(`flotilla up failed:\n${result.stdout}${result.stderr}${this.logs()}`);
    return result.stdout;
  }

  /** Runs the command line on this cluster's home. */
  flotilla(...args: string[]): Promise<CommandResult> {
    return execute(process.execPath, [cli, ...args], { env: this.env });
  }

  /** Runs kubectl on this cluster; throws if it fails. */
  async kubectl(...args: string[]): Promise<string> {
    const result = await this.tryKubectl(args);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** Runs kubectl on this cluster, with `input` on its standard input. */
  async tryKubectl(args: string[], input?: string): Promise<CommandResult> {
    const kubectl = findKubectl();
    if (!kubectl) throw new Error('no kubectl on this machine');
    return execute(kubectl, args, { env: this.env, input });
  }

  /** Applies a manifest. */
  async apply(manifest: string): Promise<string> {
    const result = await this.tryKubectl(['apply', '-f', '-'], manifest);
    if (result.code !== 0) throw new Error(`kubectl apply: ${result.stderr}`);
    return result.stdout;
  }

  /** An HTTP request through the ingress gateway, by curl's own rules where it matters: no proxy, no retries. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.ports.http}${path}`, init);
  }

  /** The ends of all logs, for a failure's message. */
  logs(lines = 15): string {
    const dir = join(this.dir, 'logs');
    if (!existsSync(dir)) return '';
    return readdirSync(dir)
      .map(
        (file) =>
          `\n== ${file}\n${readFileSync(join(dir, file), 'utf8').trimEnd().split('\n').slice(-lines).join('\n')}`,
      )
      .join('');
  }

  processes(): ReturnType<typeof findTagged> {
    return findTagged(this.dir);
  }

  /** Stops the cluster and removes its home. */
  async destroy(): Promise<void> {
    await this.flotilla('down', '--purge');
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Tries `check` until it gives something other than undefined or false; fails after `timeoutMs` with what it last threw. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}`, last === undefined ? undefined : { cause: last });
    }
    await new Promise((next) => setTimeout(next, 50));
  }
}
