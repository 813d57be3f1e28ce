import { describeError } from '@flotilla/base';
import { systemClock, systemRandom } from '@flotilla/host';
import { readBootstrap } from './bootstrap.js';
import { LeveledLogger } from './leveled-logger.js';
import { LogWriter } from './log-writer.js';
import { Proxy } from './proxy.js';

/** The proxy as a process: `proxy sidecar --domain …` or `proxy router --domain …`. */
export async function runProxy(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const bootstrap = readBootstrap(args, env);
  const logger = new LeveledLogger(bootstrap.logLevel);
  const stdout = new LogWriter((text) => void process.stdout.write(text), systemClock);
  // A log reader that has gone away is no reason to stop serving.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  // Nor is a bug in the handling of one connection: said aloud, and lived with.
  process.on('uncaughtException', (error) =>
    logger.error('unexpected error', { error: describeError(error), stack: error.stack }),
  );
  process.on('unhandledRejection', (error) => logger.error('unexpected rejection', { error: describeError(error) }));
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    proxy.stop().then(
      () => exit(0),
      (error: unknown) => {
        logger.error('stop failed', { error: describeError(error) });
        exit(1);
      },
    );
  };
  const exit = (code: number): never => {
    stdout.flush();
    process.exit(code);
  };
  const proxy = new Proxy(bootstrap, {
    clock: systemClock,
    random: systemRandom,
    logger,
    sinks: { stdout: stdout.line, stderr: (line) => void process.stderr.write(line) },
    quit: stop,
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await proxy.start();
}
