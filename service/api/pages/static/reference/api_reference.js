// docs.json ──▶ Swagger UI, which sends the API key of this tab.

import { apiKey } from "../shared/api_client.js";
import { byId, element } from "../shared/dom.js";
import { askWithKey } from "../shared/key_form.js";
import { sentence } from "../shared/notation.js";

try {
  const spec = await askWithKey("docs.json");
  globalThis.SwaggerUIBundle({
    spec: { ...spec, servers: [{ url: new URL(".", location.href).href }] },
    dom_id: "#swagger-ui",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
      const key = apiKey();
      if (key !== null) request.headers.Authorization = `Bearer ${key}`;
      return request;
    },
  });
} catch (problem) {
  byId("swagger-ui").replaceChildren(element("p", { class: "notice", role: "alert" }, sentence(problem.message)));
}
