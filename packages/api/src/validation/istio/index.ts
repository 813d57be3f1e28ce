import type { KubeObject } from '../../resources.js';
import { structuralErrors } from '../../schema/structural.js';
import type { MessageSchema } from '../../schema/types.js';
import { StatusError } from '../../status.js';
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
 * What the API server answers when Istio's validating webhook refuses an object, word for word: 400 without a reason,
 * since the webhook gives none (kubectl prints `Error from server: …`). Undefined if it does not refuse, or if the
 * object does not fit its schema, which is for `validateCreate` to say.
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
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `admission webhook "validation.istio.io" denied the request: ${why}`,
    code: 400,
  });
}
