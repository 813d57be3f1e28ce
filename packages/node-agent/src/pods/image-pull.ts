import type { core } from '@flotilla/api';
import { backoffDelay } from '@flotilla/base';
import type { ResolvedImage } from '@flotilla/sandbox';
import type { NodeContext } from './node.js';
import type { ContainerRecord } from './observed.js';

/** How long ErrImagePull is shown before it becomes ImagePullBackOff, milliseconds: long enough to be seen. */
const errorShown = 1000;

/** Finds the container's image; undefined if there is none, and then the record says why and when to look again. */
export function resolveImage(
  container: core.Container,
  record: ContainerRecord,
  pod: core.Pod,
  node: NodeContext,
): ResolvedImage | undefined {
  const { image: name = '', imagePullPolicy: policy } = container;
  const image = node.images.resolve(name);
  if (!image) {
    record.obstacles++;
    const delay = backoffDelay(node.backoff.image, record.obstacles);
    record.retryAt = node.clock.now() + (record.obstacles === 1 ? Math.min(delay, errorShown) : delay);
    record.waiting = missing(name, policy === 'Never', record.obstacles, pod, node);
    return undefined;
  }
  record.imageID = image.id;
  if (policy === 'Always') {
    node.events.event(pod, 'Normal', 'Pulling', `Pulling image "${name}"`);
    const took = '0s (0s including waiting). Image size: 0 bytes.';
    node.events.event(pod, 'Normal', 'Pulled', `Successfully pulled image "${name}" in ${took}`);
  } else {
    node.events.event(pod, 'Normal', 'Pulled', `Container image "${name}" already present on machine`);
  }
  return image;
}

/** First the error, then, while the next try waits, the back-off: as the kubelet's image manager tells it. */
function missing(
  name: string,
  never: boolean,
  tries: number,
  pod: core.Pod,
  { events }: NodeContext,
): { reason: string; message: string } {
  const hint = `no such image here: add it with \`flotilla image add ${name} DIR\``;
  if (never) {
    const message = `Container image "${name}" is not present with pull policy of Never`;
    events.event(pod, 'Warning', 'ErrImageNeverPull', message);
    return { reason: 'ErrImageNeverPull', message };
  }
  if (tries === 1) {
    events.event(pod, 'Normal', 'Pulling', `Pulling image "${name}"`);
    events.event(pod, 'Warning', 'Failed', `Failed to pull image "${name}": ${hint}`);
    events.event(pod, 'Warning', 'Failed', 'Error: ErrImagePull');
    return { reason: 'ErrImagePull', message: hint };
  }
  events.event(pod, 'Normal', 'BackOff', `Back-off pulling image "${name}"`);
  events.event(pod, 'Warning', 'Failed', 'Error: ImagePullBackOff');
  return { reason: 'ImagePullBackOff', message: `Back-off pulling image "${name}": ErrImagePull: ${hint}` };
}
