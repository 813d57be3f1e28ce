import { StatusError } from '@flotilla/api';

/** What the API refused, in kubectl's words (`cmdutil.StandardErrorMessage`); undefined for any other error. */
export function failureText(error: unknown, doing?: string): string | undefined {
  if (!(error instanceof StatusError)) return undefined;
  const { status } = error;
  if (error.reason === 'Invalid' && status.details?.kind && !doing) {
    const { kind, name, causes = [] } = status.details;
    const told = causes.map((cause) => `${cause.field}: ${cause.message}`);
    const head = `The ${kind} "${name ?? ''}" is invalid`;
    if (told.length === 0) return head;
    return told.length === 1 ? `${head}: ${told[0]}` : `${head}: \n${told.map((each) => `* ${each}`).join('\n')}`;
  }
  const during = doing ? `${doing}: ` : '';
  const reason = error.reason && error.reason !== 'Unknown' ? ` (${error.reason})` : '';
  return `Error from server${reason}: ${during}${error.message}`;
}

export const isNotFound = (error: unknown): error is StatusError =>
  error instanceof StatusError && error.httpStatus === 404;
