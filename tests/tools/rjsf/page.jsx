// The form of one template, rendered by React JSON Schema Form. The page sets window.schema; window.sent is the submitted input.
import { createRoot } from "react-dom/client";
import Form from "@rjsf/core";
import { customizeValidator } from "@rjsf/validator-ajv8";
import Ajv2020 from "ajv/dist/2020.js";

const validator = customizeValidator({ AjvClass: Ajv2020 });
const send = ({ formData }) => { window.sent = formData; };
const form = <Form schema={window.schema} validator={validator} onSubmit={send} onError={() => {}} showErrorList={false} noHtml5Validate />;
createRoot(document.getElementById("form")).render(form);
