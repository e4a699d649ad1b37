"""A client of gRPC with grpcio, on one connection, which learns the messages by reflection.

A line of JSON on standard input is a list of calls; they are sent at once. The line that comes back has what became of each.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(sys.argv[1])
reflection = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(reflection)


def of_the_service(method):
    """The request and the response of a method, by what the server says of it."""
    method = pool.FindServiceByName("auth.Auth").FindMethodByName(method)
    return [message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type)]


def send(order):
    if "method" in order:
        request, response = of_the_service(order["method"])
        message = json_format.ParseDict(order["message"], request()).SerializeToString()
        path, read = "/auth.Auth/" + order["method"], response.FromString
    else:
        message, path, read = bytes.fromhex(order["bytes"]), order["path"], bytes.hex
    call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=read)
    metadata = list(order.get("metadata", {}).items())
    return call.future(message, timeout=order.get("timeout", 60), metadata=metadata)


def told(call):
    error = call.exception()
    message = None if error else call.result()
    if message is not None and not isinstance(message, str):
        message = json_format.MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    metadata = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
    return {
        "code": call.code().name,
        "text": call.details() or "",
        "message": message,
        "metadata": {name: value for name, value in metadata if isinstance(value, str)},
    }


for line in sys.stdin:
    orders = json.loads(line)
    if orders == "services":
        answer = sorted(reflection.get_services())
    else:
        answer = [told(call) for call in [send(order) for order in orders]]
    print(json.dumps(answer), flush=True)
