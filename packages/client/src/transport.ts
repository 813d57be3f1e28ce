import { NamedError } from '@flotilla/base';

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without query, e.g. `/api/v1/namespaces/default/pods/web`; segments are percent-encoded. */
  path: string;
  query?: Record<string, string>;
  /** Media types; `application/json` if absent. */
  accept?: string;
  contentType?: string;
  body?: Uint8Array;
}

export interface ApiResponse {
  /** HTTP status code. */
  status: number;
  contentType: string;
  body: Uint8Array;
}

/** Carries API requests. Adapters: NATS, HTTPS. Failures of the API itself are responses, not exceptions. */
export interface Transport {
  /** Rejects with `TransportError`, or the signal's reason. */
  request(request: ApiRequest, signal?: AbortSignal): Promise<ApiResponse>;
  /**
   * A response that goes on: watches, followed logs. Resolves when the server has accepted. Rejects with `StatusError` if
   * it refused, else as `request` does. The frames are byte chunks without further meaning; they end in good order when
   * the server ends, and throw `TransportError` when it is lost. Aborting `signal`, or leaving the loop, ends both sides.
   */
  stream(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

/**
 * What went wrong on the way. `unavailable`: nobody took the request, it was not executed. `disconnected`, `timeout`: it
 * may have been executed. `protocol`: the peer's answer makes no sense.
 */
export type TransportErrorCode = 'unavailable' | 'disconnected' | 'timeout' | 'protocol';

/** The server could not be asked, or its answer did not arrive. */
export class TransportError extends NamedError {
  declare readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }

  /** Whether the request may have been executed; if not, it is safe to send it again. */
  get outcomeUnknown(): boolean {
    return this.code !== 'unavailable';
  }
}
