import { fieldErrors } from '../../errors.js';
import type { KubeObject } from '../../resources.js';
import { structuralErrors } from '../../schema/structural.js';
import type { MessageSchema } from '../../schema/types.js';
import { failure, type StatusError } from '../../status.js';
import type { FieldErrors, Rules } from '../common.js';
import { destinationRuleComplaints } from './destination-rule.js';
import { gatewayComplaints } from './gateway.js';
import type { Complaints } from './primitives.js';
import { virtualServiceComplaints } from './virtual-service.js';

/** Method syntax, so that functions of a kind's own type fit. */
interface Webhook {
  complaints(object: KubeObject): Complaints;
}

const webhooks: Record<string, Webhook> = {
  Gateway: { complaints: gatewayComplaints },
  VirtualService: { complaints: virtualServiceComplaints },
  DestinationRule: { complaints: destinationRuleComplaints },
};

/** Several complaints as hashicorp's multierror prints them, which Istio uses. */
function multiError(complaints: Complaints): string {
  if (complaints.length === 1) return complaints[0]!;
  return `${complaints.length} errors occurred:\n${complaints.map((c) => `\t* ${c}\n`).join('')}\n`;
}

/**
 * What the API server answers when Istio's validating webhook refuses an object, word for word; undefined if it does
 * not, or if the object does not fit its schema, which is for `validateCreate` to say.
 */
export function istioDenial(
  info: { readonly group: string; readonly kind: string; readonly schema: MessageSchema },
  object: KubeObject,
): StatusError | undefined {
  if (info.group !== 'networking.istio.io' || !Object.hasOwn(webhooks, info.kind)) return undefined;
  if (structuralErrors(info.schema, object).length > 0) return undefined;
  const complaints = webhooks[info.kind]!.complaints(object);
  if (complaints.length === 0) return undefined;
  const why = `configuration is invalid: ${multiError(complaints)}`;
  return failure('BadRequest', `admission webhook "validation.istio.io" denied the request: ${why}`);
}

/** The same complaints as errors of the spec, for callers that have no admission. */
function asErrors(check: (object: KubeObject) => Complaints): (object: KubeObject) => FieldErrors {
  return (object) => check(object).map((complaint) => fieldErrors.forbidden('spec', complaint));
}

export const istioRules: Record<string, Rules> = Object.fromEntries(
  Object.entries(webhooks).map(([kind, { complaints }]) => [
    `networking.istio.io/${kind}`,
    { create: asErrors(complaints), status: () => [] },
  ]),
);
