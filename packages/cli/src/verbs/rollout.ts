import { type apps, deployments, formatTime } from '@flotilla/api';
import { UserError } from '../errors.js';
import { timeoutOf } from './durations.js';
import { printedName } from './kinds.js';
import { type Chosen, chosen, type SelectionOptions } from './selected.js';
import { onCluster, type Session, type VerbOptions } from './session.js';
import { untilState } from './states.js';

export interface RolloutOptions extends VerbOptions, SelectionOptions {
  timeout?: string;
  watch?: boolean;
}

/** How far a rollout is, in kubectl's words (`polymorphichelpers.DeploymentStatusViewer`). */
export function rolloutProgress(deployment: apps.Deployment): { done: boolean; text: string; failed?: boolean } {
  const { metadata, spec, status } = deployment;
  const name = metadata.name ?? '';
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status ?? {};
  const waiting = (what: string) => ({
    done: false,
    text: `Waiting for deployment "${name}" rollout to finish: ${what}...`,
  });
  if ((metadata.generation ?? 0) > observedGeneration) {
    return { done: false, text: 'Waiting for deployment spec update to be observed...' };
  }
  const progressing = status?.conditions?.find((each) => each.type === 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { done: true, failed: true, text: `deployment "${name}" exceeded its progress deadline` };
  }
  const wanted = spec.replicas ?? 1;
  if (updatedReplicas < wanted) return waiting(`${updatedReplicas} out of ${wanted} new replicas have been updated`);
  if (replicas > updatedReplicas) return waiting(`${replicas - updatedReplicas} old replicas are pending termination`);
  if (availableReplicas < updatedReplicas) {
    return waiting(`${availableReplicas} of ${updatedReplicas} updated replicas are available`);
  }
  return { done: true, text: `deployment "${name}" successfully rolled out` };
}

const onlyDeployments = ({ info, name }: Chosen): void => {
  if (info !== deployments) throw new UserError(`${printedName(info, name)}: only deployments have rollouts`);
};

async function showStatus(session: Session, target: Chosen, options: RolloutOptions, limit?: number): Promise<void> {
  const { name, namespace } = target;
  // A missing one is an error, not something to wait for.
  await session.client.resource(deployments).get(name, namespace);
  let shown = '';
  const end = await untilState(
    session,
    deployments,
    { name, namespace },
    (deployment) => {
      if (!deployment) throw new UserError('object has been deleted');
      const progress = rolloutProgress(deployment);
      if (progress.text !== shown && !progress.failed) session.print(progress.text);
      shown = progress.text;
      return progress.done || options.watch === false ? progress : undefined;
    },
    limit,
  );
  if (!end) throw new UserError('timed out waiting for the condition');
  if (end.failed) throw new UserError(end.text);
}

export async function rolloutStatus(args: string[], options: RolloutOptions): Promise<void> {
  const limit = timeoutOf(options.timeout);
  await onCluster(options, async (session) => {
    for (const target of await chosen(session, args, options)) {
      onlyDeployments(target);
      await showStatus(session, target, options, limit);
    }
  });
}

/** New pods for the same template: its annotation is what differs, the one that kubectl writes. */
export async function rolloutRestart(args: string[], options: RolloutOptions): Promise<void> {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': formatTime(Date.now()) };
  await onCluster(options, async (session) => {
    for (const target of await chosen(session, args, options)) {
      const { info, name, namespace } = target;
      try {
        onlyDeployments(target);
        const patch = { spec: { template: { metadata: { annotations } } } };
        await session.client.resource(info).patch({ name, namespace }, patch);
        session.print(`${printedName(info, name)} restarted`);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}
