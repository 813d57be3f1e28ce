import type { HeaderList } from '@flotilla/traffic';
import type { HttpSpec } from '../config/http-config.js';
import { removeHopByHop } from './request-headers.js';

/** A response from upstream on its way out: hop-by-hop fields go. */
export function fromUpstream(headers: HeaderList): void {
  removeHopByHop(headers);
  headers.remove('x-envoy-upstream-service-time');
}

/** Last touch on every response, local ones too. */
export function finishResponse(headers: HeaderList, spec: HttpSpec, requestId: string | undefined): void {
  if (spec.serverHeader === 'OVERWRITE') headers.set('server', spec.serverName);
  else if (spec.serverHeader === 'APPEND_IF_ABSENT' && !headers.has('server')) headers.set('server', spec.serverName);
  if (spec.via) headers.append('via', spec.via);
  if (spec.requestIdInResponse && requestId) headers.set('x-request-id', requestId);
}
