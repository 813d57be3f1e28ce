import { readFileSync } from 'node:fs';
import { describeError, type Logger } from '@flotilla/base';

/** What a long-running process gives back once it serves. */
export interface RunningProcess {
  /** Ends in good order; called at most once, on SIGTERM or SIGINT. */
  stop(): Promise<void>;
}

/** The message a child sends to its supervisor over the IPC channel once it serves. */
export interface ReadyMessage {
  type: 'ready';
  /** Milliseconds from process start to ready. */
  ms: number;
}

/**
 * The body of every Flotilla process: reads the JSON configuration file named by the first argument, starts, tells the
 * supervisor that it is ready, and on SIGTERM or SIGINT stops in good order. A failed start ends with exit code 1 and
 * one line that says why. Losing the supervisor is not a reason to end: it may be restarted and find us.
 */
export async function runProcess<Config>(
  logger: Logger,
  start: (config: Config) => Promise<RunningProcess>,
): Promise<void> {
  const file = process.argv[2];
  try {
    if (!file) throw new Error('usage: the first argument is the path of a JSON configuration file');
    const config = JSON.parse(readFileSync(file, 'utf8')) as Config;
    const running = await start(config);
    let stopping = false;
    const stop = (): void => {
      if (stopping) return;
      stopping = true;
      running.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error('stop failed', { error: describeError(error) });
          process.exit(1);
        },
      );
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.send?.({ type: 'ready', ms: Math.round(performance.now()) } satisfies ReadyMessage);
    process.channel?.unref();
  } catch (error) {
    logger.error('start failed', { error: describeError(error) });
    process.exit(1);
  }
}
