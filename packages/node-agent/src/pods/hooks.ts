import type { core } from '@flotilla/api';
import { sleep, type Clock } from '@flotilla/base';
import { checkHttp, type RunCommand } from '../probes/check.js';

export interface HookContext {
  podIP: string;
  container: core.Container;
  clock: Clock;
  run: RunCommand;
}

/** Runs a lifecycle hook; undefined if it went well, else upstream's account of what did not. */
export async function runHook(
  hook: core.LifecycleHandler,
  timeoutMs: number,
  context: HookContext,
): Promise<string | undefined> {
  const { container, clock } = context;
  if (hook.exec) {
    const { code, output } = await context.run(hook.exec.command ?? [], timeoutMs);
    if (code === 0) return undefined;
    const what = `Exec lifecycle hook (${JSON.stringify(hook.exec.command ?? [])}) for Container "${container.name}" failed`;
    return `${what} - error: ${code === undefined ? 'timed out' : `command exited with ${code}`}, message: ${JSON.stringify(output)}`;
  }
  if (hook.httpGet) {
    const { success, output } = await checkHttp(hook.httpGet, timeoutMs, context);
    return success
      ? undefined
      : `HTTP lifecycle hook (${hook.httpGet.path ?? '/'}) for Container "${container.name}" failed - error: ${output}`;
  }
  if (hook.sleep) {
    await sleep(clock, Math.min(hook.sleep.seconds * 1000, timeoutMs));
    return undefined;
  }
  return 'lifecycle hooks of this kind are not supported';
}
