import { existsSync } from 'node:fs';
import { silentLogger } from '@flotilla/base';
import { Client, httpsTransport, loadKubeconfig, TransportError } from '@flotilla/client';
import { UserError } from '../errors.js';
import { clusterPaths } from '../home.js';
import { failureText } from './failures.js';

/** The options that every verb has. */
export interface VerbOptions {
  /** Which cluster. */
  name: string;
  namespace?: string;
}

/** One verb's run on one cluster. */
export interface Session {
  readonly client: Client;
  /** Of whatever has no namespace of its own. */
  readonly namespace: string;
  /** Whether the person said so. */
  readonly namespaceGiven: boolean;
  /** Prints one line of the result. */
  print(line: string): void;
  /** Prints a failure that does not end the verb, and during what; the exit code will be 1. */
  fail(error: unknown, doing?: string): void;
  /** Prints a remark to the person, not part of the result. */
  note(line: string): void;
}

const notRunning = (name: string, cause?: unknown): UserError =>
  new UserError(
    `cluster "${name}" is not running`,
    `start it with: flotilla up${name === 'flotilla' ? '' : ` --name ${name}`}`,
    cause,
  );

/** Runs one verb on the cluster, as its administrator. What the API refuses is printed as kubectl does. */
export async function onCluster(options: VerbOptions, work: (session: Session) => Promise<void>): Promise<void> {
  const { kubeconfig } = clusterPaths(options.name);
  if (!existsSync(kubeconfig)) throw notRunning(options.name);
  const transport = httpsTransport(await loadKubeconfig(kubeconfig));
  const client = new Client(transport, { logger: silentLogger });
  // `flotilla get pods | head` closes the pipe early.
  process.stdout.on('error', () => process.exit(0));
  const fail = (error: unknown, doing?: string): void => {
    if (error instanceof TransportError && error.code === 'unavailable') throw notRunning(options.name, error);
    const text = failureText(error, doing) ?? (error instanceof UserError ? `error: ${error.message}` : undefined);
    if (text === undefined) throw error;
    console.error(text);
    process.exitCode = 1;
  };
  const note = (line: string): void => console.error(line);
  const print = (line: string): void => console.log(line);
  try {
    const namespaceGiven = options.namespace !== undefined;
    await work({ client, namespace: options.namespace ?? 'default', namespaceGiven, print, note, fail });
  } catch (error) {
    if (error instanceof UserError) throw error;
    fail(error);
  } finally {
    await transport.close();
  }
}
