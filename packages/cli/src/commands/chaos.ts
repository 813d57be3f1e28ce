import { type Action, actions, type TargetKind, targetKinds } from '@flotilla/chaos';
import { UserError } from '../errors.js';
import { clusterPaths } from '../home.js';
import { command } from '../supervisor/control.js';

export interface ChaosOptions {
  name: string;
  namespace?: string;
}

const singletons: readonly TargetKind[] = ['pilot', 'master', 'nats'];

function oneOf<T extends string>(allowed: readonly T[], word: string, what: string): T {
  const found = allowed.find((each) => each === word);
  if (!found) throw new UserError(`"${word}" is not ${what}; choose one of: ${allowed.join(', ')}`);
  return found;
}

/** `flotilla chaos ACTION KIND [NAME]`: asks the supervisor to do it, and prints what it did. */
export async function chaos(
  action: string,
  kind: string,
  name: string | undefined,
  options: ChaosOptions,
): Promise<void> {
  const fault = {
    action: oneOf<Action>(actions, action, 'an action'),
    kind: oneOf<TargetKind>(targetKinds, kind, 'something to break'),
    name,
    namespace: options.namespace,
  };
  if (!name && !singletons.includes(fault.kind)) {
    const example =
      fault.kind === 'node' ? 'node node-2' : fault.kind === 'container' ? 'container POD/CONTAINER' : `${kind} POD`;
    throw new UserError(`which ${kind}?`, `for example: flotilla chaos ${action} ${example}`);
  }
  const reply = await command(clusterPaths(options.name).socket, options.name, { op: 'fault', fault });
  console.log(reply.text);
}
