import { type KubeObject, controllerOf } from '@flotilla/api';
import { isTerminating, uidOf } from './objects.js';

export interface Claims<T> {
  /** Controlled by the owner and selected by it. */
  owned: T[];
  /** Selected, without a controller: to be adopted. */
  adopt: T[];
  /** Controlled by the owner but no longer selected: to be released. */
  release: T[];
}

/**
 * Which of `objects` (of the owner's namespace) belong to `owner`. Follows ControllerRefManager.ClaimObject: an object of
 * another controller is left alone, a terminating owner neither adopts nor releases, a terminating object is not adopted.
 */
export function claim<T extends KubeObject>(
  objects: readonly T[],
  owner: KubeObject,
  selects: (labels: Record<string, string>) => boolean,
): Claims<T> {
  const claims: Claims<T> = { owned: [], adopt: [], release: [] };
  for (const object of objects) {
    const ref = controllerOf(object);
    const selected = selects(object.metadata.labels ?? {});
    if (ref) {
      if (ref.uid !== uidOf(owner)) continue;
      if (selected) claims.owned.push(object);
      else if (!isTerminating(owner)) claims.release.push(object);
    } else if (selected && !isTerminating(owner) && !isTerminating(object)) {
      claims.adopt.push(object);
    }
  }
  return claims;
}
