import { type Any, type CorsPolicy, type HTTPFault, unpack } from '@flotilla/xds';
import { compileCors, type Cors } from './cors.js';
import { compileFault, type FaultPolicy } from './fault.js';
import { InvalidConfig } from './invalid.js';

/** What `typed_per_filter_config` says of the filters we have. */
export interface FilterOverrides {
  fault?: FaultPolicy;
  cors?: Cors;
}

const httpFault = 'envoy.extensions.filters.http.fault.v3.HTTPFault';
const corsPolicy = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';

/** Filters are recognized by the type of their configuration, not by the free name. Unknown ones are refused. */
export function compileOverrides(config: Record<string, Any> | undefined, path: string): FilterOverrides {
  const out: FilterOverrides = {};
  for (const [name, any] of Object.entries(config ?? {})) {
    const at = `${path}.typed_per_filter_config[${name}]`;
    const fault: HTTPFault | undefined = unpack(httpFault, any);
    const cors: CorsPolicy | undefined = unpack(corsPolicy, any);
    if (fault) out.fault = compileFault(fault, at);
    else if (cors) out.cors = compileCors(cors, at);
    else throw new InvalidConfig(at, `no filter of this proxy takes ${any.type_url || 'an untyped configuration'}`);
  }
  return out;
}
