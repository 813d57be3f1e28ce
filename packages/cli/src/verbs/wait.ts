import { isJsonObject, type KubeObject } from '@flotilla/api';
import { UserError } from '../errors.js';
import { timeoutOf } from './durations.js';
import { printedName } from './kinds.js';
import { chosen, type SelectionOptions } from './selected.js';
import { onCluster, type VerbOptions } from './session.js';
import { untilState } from './states.js';

export interface WaitOptions extends VerbOptions, SelectionOptions {
  for: string;
  timeout: string;
}

type Satisfied = (object: KubeObject | undefined) => boolean;

/** What `--for` asks: `condition=X`, `condition=X=value`, `create` or `delete`. */
export function satisfies(text: string): Satisfied {
  if (text === 'delete') return (object) => object === undefined;
  if (text === 'create') return (object) => object !== undefined;
  const [what, type, value = 'True'] = text.split('=');
  if (what !== 'condition' || !type) {
    throw new UserError(`--for=${text} is not there yet`, 'use condition=TYPE, condition=TYPE=VALUE, create or delete');
  }
  return (object: unknown) => {
    if (!isJsonObject(object) || !isJsonObject(object.status)) return false;
    const { conditions } = object.status;
    if (!Array.isArray(conditions)) return false;
    const found = conditions.filter(isJsonObject).find((each) => same(each.type, type));
    if (!found || !same(found.status, value)) return false;
    // A condition that speaks of an older generation is not the answer yet (kubectl `ConditionalWait`).
    const { metadata } = object;
    const { generation } = isJsonObject(metadata) ? metadata : {};
    const observed = found.observedGeneration ?? object.status.observedGeneration;
    return typeof generation !== 'number' || typeof observed !== 'number' || observed >= generation;
  };
}

const same = (a: unknown, b: string): boolean => typeof a === 'string' && a.toLowerCase() === b.toLowerCase();

export async function wait(args: string[], options: WaitOptions): Promise<void> {
  const satisfied = satisfies(options.for);
  const limit = timeoutOf(options.timeout) ?? 0;
  const deadline = performance.now() + limit;
  await onCluster(options, async (session) => {
    const targets = await chosen(session, args, options);
    if (targets.length === 0) throw new UserError('no matching resources found');
    for (const { info, name, namespace } of targets) {
      try {
        // One that is not there cannot come to a condition; kubectl says so at once.
        if (options.for.startsWith('condition')) await session.client.resource(info).get(name, namespace);
        const left = Math.max(1, deadline - performance.now());
        const done = await untilState(
          session,
          info,
          { name, namespace },
          (object) => (satisfied(object) ? true : undefined),
          left,
        );
        if (!done) throw new UserError(`timed out waiting for the condition on ${info.resource}/${name}`);
        session.print(`${printedName(info, name)} condition met`);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}
