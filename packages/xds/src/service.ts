import { decode, encode, type MessageName } from './codec/index.js';
import { AggregatedDiscoveryService } from './gen/services.js';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  Messages,
} from './gen/types.js';

/** One method in the shape that @grpc/grpc-js takes (its MethodDefinition), for servers and clients alike. */
export interface MethodDefinition<Request, Response> {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize(value: Request): Buffer;
  requestDeserialize(bytes: Buffer): Request;
  responseSerialize(value: Response): Buffer;
  responseDeserialize(bytes: Buffer): Response;
}

/** A response, or its bytes when the server has encoded it once for many streams. */
export type Outgoing<T> = T | Uint8Array;

function method<Q extends MessageName, R extends MessageName>(definition: {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestType: Q;
  responseType: R;
}): MethodDefinition<Messages[Q], Outgoing<Messages[R]>> {
  const { path, requestStream, responseStream, requestType, responseType } = definition;
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: (value) => asBuffer(encode(requestType, value)),
    requestDeserialize: (bytes) => decode(requestType, bytes),
    responseSerialize: (value) => asBuffer(value instanceof Uint8Array ? value : encode(responseType, value)),
    responseDeserialize: (bytes) => decode(responseType, bytes),
  };
}

/** grpc-js wants Buffers; this is a view, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The Aggregated Discovery Service: `server.addService(adsService, …)`, or a client's
 * `makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize)`. A server may write a
 * response's bytes in place of the response.
 */
export const adsService = {
  StreamAggregatedResources: method(AggregatedDiscoveryService.StreamAggregatedResources),
  DeltaAggregatedResources: method(AggregatedDiscoveryService.DeltaAggregatedResources),
} satisfies {
  StreamAggregatedResources: MethodDefinition<DiscoveryRequest, Outgoing<DiscoveryResponse>>;
  DeltaAggregatedResources: MethodDefinition<DeltaDiscoveryRequest, Outgoing<DeltaDiscoveryResponse>>;
};
