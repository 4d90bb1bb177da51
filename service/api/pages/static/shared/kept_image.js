// the API's path of a kept image ──▶ an address for `<img>`: the image is asked for with the key, which `<img>` cannot send.

import { send } from "./api_client.js";

/** The API's paths begin at the root; behind a proxy the pages may be below a path. */
export const relative = (path) => path.replace(/^\//, "");

/**
 * An address of the image, to be revoked with `URL.revokeObjectURL` when it is no longer shown.
 * @throws {Problem} it cannot be had
 */
export const keptImage = async (path) => URL.createObjectURL(await (await send(relative(path))).blob());
